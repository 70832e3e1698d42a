//! The columns of exports. They are added at the end only: programs read them by place.

use super::ExportKind;

/// The first line of the file.
pub(super) fn of(kind: ExportKind) -> &'static str {
    match kind {
        ExportKind::Orders => {
            "id,merchant,connection,number,reference,ship_to,placed_at,imported_at,changed_at,state,reason"
        }
        ExportKind::Shipments => {
            "id,connection,order,reference,key,shipped_at,carrier,service,tracking,confirmed_at,problem"
        }
        ExportKind::StockLevels => "connection,sku,facility,available,physical,cut_off,feed",
        ExportKind::Exceptions => "id,connection,kind,subject,reason,at,resolved_at,resolved_by",
        ExportKind::Effects => "id,connection,kind,title,state,note,attempt,order,reference,created_at,changed_at",
        ExportKind::Audit => "number,at,actor,action,target,detail,hash",
        ExportKind::Mappings => "connection,brightpearl_sku,warehouse_sku",
        ExportKind::StockRuns => "id,connection,feed,cut_off,made_at,state,reason,skus,compared,changed",
        ExportKind::Findings => {
            "id,connection,kind,subject,order,what,repair,first_at,last_at,resolved_at,repaired_at,repaired_by"
        }
        ExportKind::Census => "connection,extent,started_at,finished_at,unaccounted,problem",
        ExportKind::OrderLines => "order,connection,number,row,product,sku,name,quantity",
        ExportKind::Issues => "id,connection,kind,state,what,remedy,count,opened_at,closed_at,acknowledged_by",
        ExportKind::Deliveries => "id,to,kind,event,state,tries,created_at,ended_at",
        ExportKind::ChannelRuns => "id,connection,channel,cause,asked_by,started_at,ended_at,outcome,summary",
        ExportKind::Events => "number,at,what,subject,change,merchant",
        ExportKind::Requests => {
            "id,order,connection,number,key,note,given_up,finished,cancel_wanted,race,problem,leaves_at"
        }
        ExportKind::RequestLines => "request,order,connection,number,key,line,sku,quantity,row",
        ExportKind::ShipmentLines => {
            "shipment,connection,order,reference,key,shipped_at,box,tracking,weight,line,sku,quantity,lot,serials"
        }
        ExportKind::StockRunLines => {
            "run,connection,feed,cut_off,state,warehouse,product,skus,counted,brightpearl,difference,parts,\
             verdict,reason,effect,effect_state,undone_by"
        }
        ExportKind::StockHolds => "connection,sku,warehouse,product,reason,actor,at",
        ExportKind::Drift => {
            "connection,at,skus,warehouse,product,counted,brightpearl,difference,parts,unexplained,counted_at,\
             notes"
        }
        ExportKind::Kits => "connection,brightpearl_sku,part_sku,units",
        ExportKind::ShipMethods => "connection,brightpearl_method,carrier,service",
        ExportKind::SourceMethods => "connection,carrier,service,brightpearl_method",
        ExportKind::Locations => "connection,facility,brightpearl_warehouse",
        ExportKind::Preflights => {
            "id,connection,state,days,since,wanted_at,wanted_by,started_at,ended_at,problem,total,orders,through,\
             stuck,left_out,stuck_per_mille"
        }
        ExportKind::PreflightCauses => "preflight,connection,wanted_at,kind,subject,left_out,orders,remedy,examples",
        ExportKind::ExceptionGroups => {
            "id,kind,merchant,connection,cause,example,count,first_at,last_at,examples,remedy,can_retry"
        }
        ExportKind::Merchants => "id,name",
        ExportKind::Stores => "id,name,merchant,platform,settings,secrets_set",
        ExportKind::Warehouses => "id,name,merchant,platform,settings,secrets_set",
        ExportKind::Connections => {
            "id,name,merchant,store,store_name,warehouse,warehouse_name,enabled,state,channels_on,paused"
        }
        ExportKind::AlertChannels => "id,name,kind,merchant,to,host,enabled,problem,failing_since,last_message_at",
        ExportKind::AlertPolicies => "id,name,enabled,merchant,kinds,connections,channels,remind_hours,quiet",
        ExportKind::Webhooks => "id,name,merchant,url,events,enabled,disabled_why,failing_since,created_at",
        ExportKind::HandOffs => {
            "id,merchant,store,warehouse,side,name,platform,fields,state,created_by,created_at,expires_at,\
             opened_at,tests,tested_at,worked,saved_at"
        }
        ExportKind::People => "id,email,name,role,merchants,installation,disabled,second_factor,linked,created_at",
        ExportKind::Invitations => "id,email,name,role,merchants,state,created_by,created_at,expires_at",
        ExportKind::Keys => {
            "id,name,role,scopes,merchant,warehouse,installation,created_at,expires_at,last_used_at,revoked_at"
        }
        ExportKind::Tenants => "id,name,created_at,disabled_at,people",
        ExportKind::Backups => "id,file,bytes,taken_at",
    }
}
